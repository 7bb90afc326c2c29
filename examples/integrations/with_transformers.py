"""Hugging Face Trainer: `compute_loss_func` with `num_items_in_batch`, so that accumulation is the large batch.

python examples/integrations/with_transformers.py
"""

import tempfile

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, PrinterCallback, Trainer, TrainingArguments

from losskit import CrossEntropyLoss, FocalLoss

transformers.logging.set_verbosity_error()

SEQUENCES, VOCABULARY = 8, 50


def tokens():
    """Sequences of different lengths: -100 is padding, which does not count."""
    torch.manual_seed(1)
    ids = torch.randint(0, VOCABULARY, (SEQUENCES, 24))
    labels = ids.clone()
    for row, length in enumerate([24, 20, 12, 4, 4, 3, 22, 6]):
        labels[row, length:] = -100
    labels[:, 0] = -100  # predicted by no position, so not an item
    return [{"input_ids": a, "labels": b} for a, b in zip(ids, labels, strict=True)]


def loss_func(criterion):
    def compute(outputs, labels, num_items_in_batch=None):
        logits = outputs.logits[:, :-1].movedim(-1, 1)  # (N, vocabulary, T - 1)
        return criterion(logits, labels[:, 1:], normalizer=num_items_in_batch)

    return compute


def train(criterion, size, accumulate):
    """The weights after one step of all sequences, and the loss that the Trainer logs."""
    torch.manual_seed(0)
    size_of_model = {"vocab_size": VOCABULARY, "n_positions": 24, "n_embd": 16, "n_layer": 1, "n_head": 2}
    no_dropout = {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}
    model = GPT2LMHeadModel(GPT2Config(**size_of_model, **no_dropout, bos_token_id=0, eos_token_id=0))
    before = model.lm_head.weight.detach().clone()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            max_steps=1,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=accumulate,
            learning_rate=0.1,
            optim="sgd",
            lr_scheduler_type="constant",
            max_grad_norm=0,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        )
        compute = None if criterion is None else loss_func(criterion)
        trainer = Trainer(model, arguments, train_dataset=tokens(), compute_loss_func=compute)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return model.lm_head.weight.detach() - before, trainer.state.log_history[0]["loss"]


def error(found, whole):
    return ((found - whole).norm() / whole.norm()).item()


if __name__ == "__main__":
    for criterion in CrossEntropyLoss(), FocalLoss(gamma=2.0):
        whole, loss = train(criterion, SEQUENCES, 1)
        pieces, loss_of_pieces = train(criterion, 2, SEQUENCES // 2)
        print(f"{criterion}: loss {loss_of_pieces:.4f} of {loss:.4f}, error of the step {error(pieces, whole):.1e}")
        assert error(pieces, whole) < 1e-5
        assert abs(loss_of_pieces - loss) < 1e-4
        if isinstance(criterion, CrossEntropyLoss):
            theirs, loss_of_model = train(None, SEQUENCES, 1)
            print(f"beside the model's own loss: {loss_of_model:.4f}, error of the step {error(whole, theirs):.1e}")
            assert error(whole, theirs) < 1e-5

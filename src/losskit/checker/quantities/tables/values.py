"""Values: duels, priorities, weights of samples and clipped values."""

from losskit.checker.quantities.forms import reduced, where
from losskit.checker.quantities.quantity import quantity
from losskit.checker.quantities.tables.returns import TAKEN

quantity(
    "the value of an action in a duel",
    r"(q|qs|q_?values?|q_?vals?)",
    {"v": r"v|vals?|values?|state_?values?", "a": r"a|adv|advs|advantages?"},
    "v[..., None] + a - a.mean(-1)[..., None]",
    "v[..., None] + a - a.amax(-1)[..., None]",
    "v[..., None] + a",
    "v + a",
)
quantity(
    "the priority of a sample",
    r"(new_?)?(prios?|priorit(y|ies))",
    {
        "e": r"(td|bellman)_?(errors?|deltas?)|deltas?|errors?|td",
        "q": rf"{TAKEN}",
        "y": r"(td_?|q_?)?targets?(_q|_values?)?|expected\w*",
        "alpha": r"alpha|per_alpha|omega",
        "eps": r"eps(ilon)?|per_eps|prio\w*_eps\w*|offset",
    },
    *where("ERROR", ERROR=("abs(e)", "abs(e) + eps", "abs(q - y)", "abs(q - y) + eps")),
    *where("ERROR ** alpha", ERROR=("abs(e)", "abs(e) + eps", "abs(q - y)", "abs(q - y) + eps")),
)
quantity(
    "the weight of a sample by its probability",
    r"(is_?|per_?|importance_?(sampling_?)?)(weights?|w)",
    {
        "p": r"(sample_?|sampling_?)?(probs?|probabilit(y|ies)|p_i|prios?|priorities)",
        "n": r"n|buffer_?size|size|capacity|total|num_samples|len_buffer",
        "beta": r"(per_?|is_?)?beta",
    },
    *(
        "(n * p) ** -beta",
        "(n * p) ** -beta / ((n * p) ** -beta).max()",
        "p ** -beta / (p ** -beta).max()",
        "p ** -beta",
    ),
)
quantity(
    "the weight of a sample by its probability",
    r"weights?|w",
    {
        "p": r"(sample_?|sampling_?)(probs?|probabilit(y|ies)|p_i|prios?|priorities)",
        "n": r"n|buffer_?size|size|capacity|total|num_samples|len_buffer",
        "beta": r"(per_?|is_?)?beta",
    },
    *(
        "(n * p) ** -beta",
        "(n * p) ** -beta / ((n * p) ** -beta).max()",
        "p ** -beta / (p ** -beta).max()",
        "p ** -beta",
    ),
)
quantity(
    "a value whose change is clipped",
    r"(v|vals?|values?)_?(pred_?s?|loss)?_?clip(ped)?|(clip(ped)?)_?(v|vals?|values?|vpred\w*)|vpredclipped",
    {
        "old": (
            r"target_values|old_?(v|vals?|values?|vpreds?|state_values?)|(v|values?|vpreds?|"
            r"value_preds?)_?old|value_preds|b_values"
        ),
        "v": r"(new_?)?(v|vals?|values?|vpreds?|newvalues?)(_?(new|pred|preds))?",
        "c": r"(v|vf|value)?_?clip\w*|eps(ilon)?(_clip)?|cliprange\w*",
    },
    "old + clamp(v - old, -c, c)",
    "clamp(v, old - c, old + c)",
)
quantity(
    "the larger of two losses of a value",
    r"(v|vf|value|critic)_?f?_?loss(_max)?|loss_?(v|vf|value|critic)",
    {
        "b": r"\w*(loss|err)\w*(?<!un)clip\w*|(?<!un)clipped\w*loss\w*|vf_losses2",
        "a": r"\w*loss\w*(un|orig)\w*|\w*(unclip|orig)\w*loss\w*|vf_losses1|(v|vf|value)_?loss(es)?",
    },
    *reduced("maximum(a, b)"),
    factor=True,
)

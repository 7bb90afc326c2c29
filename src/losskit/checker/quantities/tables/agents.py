"""Reinforcement learning: targets, advantages, ratios of policies."""

from losskit.checker.quantities.quantity import quantity

REWARD = r"r|rews?|rewards?"
GAMMA = r"gamma|discount(_factor)?|gammas"
DONE = r"d|dones?|terminals?|terminated|terminations?|is_terminal|end|finished|done_mask"
GOES_ON = r"m|masks?|not_dones?|non_?terminal(_mask)?s?|non_?final_mask|continues?|alive|(1|one)_minus_done"
NEXT = (
    r"(next|target|tgt)_?\w*?(q|v|values?|state_values?|qs|vs|max)(_?(max|min|sa|target|next))?|"
    r"(v|q|values?|qs?)_?(max|min)?_?(next|target|tp1|t1|prime|bootstrap|min)(_values?|_max|_state)?|bootstrap\w*|min_q\w*"
)
quantity(
    "the target of a temporal difference",
    r"(td_?|q_?|v_?|bellman_?|critic_?)?(targets?|expected|backup)(_?(q|v|value|td|state_action|qs?))*(_values?)?|y|y_t|returns?",
    {"v": NEXT, "r": REWARD, "gamma": GAMMA, "d": DONE, "m": GOES_ON},
    "r + gamma * m * v",
    "r + gamma * (1 - d) * v",
    "r + gamma * v",
    binary=("m", "d"),
)

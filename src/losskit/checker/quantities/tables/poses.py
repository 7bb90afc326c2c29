"""Poses: similarity of keypoints, heatmaps and their expectations, rotations and quaternions."""

from losskit.checker.quantities.forms import EPS, measured, quantity

D2 = r"d_?2|dist_?(2|sq\w*)|sq(uared)?_?dist\w*|d_?sq\w*|d"
AREA = r"areas?|scales?(_sq)?|s2?|bbox_area|s_?sq"
SIGMA = r"sigmas?|k|ks|kpt_?\w*|kappas?|oks_sigmas?|joint_sigmas?|var(iance)?s?|vars"
EXPONENT = r"e|exponent|exp_?arg|oks_e|ratio|norm(ed)?_dist\w*"
SHAPES = [
    f"{square} / ({factor} * {area} * {spread})"
    for square in ("d", "d**2")
    for factor in (1, 2, 4, 8)
    for area in ("a", "a**2", "a[:, None]", "a[:, None] ** 2", "(a + eps)", "(a[:, None] + eps)")
    for spread in ("k**2", "k")
]
quantity(
    ("the exponent of the similarity of keypoints"), EXPONENT, {"eps": EPS, "k": SIGMA, "a": AREA, "d": D2}, *SHAPES
)
VISIBLE = r"v|vis\w*|masks?|m|valid\w*|w(eights?)?|kpt_mask"
measured(
    "the similarity of keypoints",
    r"oks(s|_?(score|per_\w+))?|kpt_sim\w*|keypoint_sim\w*|similarity|sim",
    {"e": EXPONENT, "k": SIGMA, "a": AREA, "v": VISIBLE, "d": D2, "eps": EPS},
    "exp(-e)",
    "(exp(-e) * v).sum(1) / v.sum(1)",
    "(exp(-e) * v).sum(1) / v.sum(1).clamp_min(1)",
    "(exp(-e) * v).sum(-1) / v.sum(-1).clamp_min(1)",
    "(exp(-e) * v).sum(-1) / (v.sum(-1) + eps)",
    "exp(-e) * v",
    *(f"exp(-({each}))" for each in SHAPES),
    *(f"exp(-({each})) * v" for each in SHAPES if "eps" not in each),
    *(f"(exp(-({each})) * v).sum(1) / v.sum(1).clamp_min(1)" for each in SHAPES if "eps" not in each),
)
measured(
    "the loss of the similarity of keypoints",
    r"oks_?loss(es)?|loss_?oks",
    {"s": r"oks(s|_?(score|per_\w+))?"},
    "1 - s",
    "-log(s)",
    "-log(s.clamp_min(1e-6))",
)
GRID = r"x|xs|ax|coords?|grid|r|t|axis|idx|pos|i|u|offsets?|dist(ance)?s?"
ROWS, COLUMNS = r"y|ys|yy|gy|grid_?y|y_?(grid|coords?|range)|v", r"x|xs|xx|gx|grid_?x|x_?(grid|coords?|range)|u"
CX, CY = r"c_?x|x_?(0|c|center)|mu_?x|px|center_?x|kx", r"c_?y|y_?(0|c|center)|mu_?y|py|center_?y|ky"
RAW = [
    f"exp(-{square} / (2 * sigma**2))"
    for square in ("q", "x**2", "(x - m) ** 2", "(x**2 + y**2)", "((x - a) ** 2 + (y - b) ** 2)")
]
RAW += [
    "exp(-((x[None] - a) ** 2 + (y[:, None] - b) ** 2) / (2 * sigma**2))",
    "exp(-(x[None] ** 2 + y[:, None] ** 2) / (2 * sigma**2))",
]
RAW += ["exp(-((x[:, None] ** 2 + x[None] ** 2)) / (2 * sigma**2))"]
BATCHED = "((x[None, None, None] - a[..., None, None]) ** 2 + (y[None, None, :, None] - b[..., None, None]) ** 2)"
RAW += [each.replace("2 * sigma**2", "sigma**2") for each in RAW]
ROWS_OF = BATCHED.replace("None, None, None", "None, None").replace("[None, None, :", "[None, :")
RAW += [f"exp(-{each} / (2 * sigma**2))" for each in (BATCHED, ROWS_OF)]
quantity(
    "the Gaussian",
    (
        r"gauss(ian)?s?(_?(1d|2d|window|kernel|map|weights?))?|g|heat_?maps?|hms?|(target|"
        r"gt)_?(heatmaps?|hm)|kernel(_?1d|_?2d)?|window(_?1d)?|bumps?|blob"
    ),
    {
        "q": D2.removesuffix("|d") + r"|r_?2|r_?sq\w*|xx",
        "a": CX,
        "b": CY,
        "x": COLUMNS + "|" + GRID,
        "y": ROWS,
        "sigma": r"sigmas?|std|s",
        "m": r"mu|mean|center|c",
    },
    *RAW,
    *(f"({each}) / ({each}).sum()" for each in RAW),
    *(f"({each}) / (sigma * 2.5066283)" for each in RAW),
    *(f"({each}) / (sigma**2 * 6.2831853)" for each in RAW),
)
HEAT = r"heat_?maps?|hms?|probs?|prob_map|softmax\w*"
for axis, grid, others in (("x", COLUMNS, -2), ("y", ROWS, -1)):
    quantity(
        f"the expected {axis}",
        (
            rf"(e|exp(ected)?|pred|out|soft|mean|coord\w*|mu)_?{axis}s?(_\w+)?|{axis}_?(pred|hat|"
            rf"exp\w*|mean|out|soft|coords?|mu)|{axis}s?|c{axis}|p{axis}"
        ),
        {
            "h": HEAT,
            "g": grid.removeprefix(f"{axis}|")
            + rf"|{axis}_?(vals?|pos|lin\w*|idx|range)|pos_{axis}|lin_?{axis}|steps?_?{axis}|range_?{axis}",
        },
        f"(h.sum({others}) * g).sum(-1)",
        f"(h.mean({others}) * g).sum(-1)",
        "(h * g).sum((-1, -2))",
        "(h * g).sum(-1)",
        f"(h.sum({others}) * g).sum(-1) / h.sum((-1, -2))",
        "(h * g).sum((-1, -2)) / h.sum((-1, -2))",
    )
MATRIX = r"(rot|r|m|mat|matrix|rotmat|R)_?"
R1 = rf"{MATRIX}(1|a|p|pred|hat|est|x|i)|pred_?(r|rot\w*|matrix)|r_?pred|rp"
R2 = rf"{MATRIX}(2|b|t|g|gt|target|true|y|j)|gt_?(r|rot\w*|matrix)|target_r\w*|rt|rgt"
quantity(
    "the relative rotation",
    r"rel(ative)?(_?(r|rot\w*|mat))?|r_?(rel|diff|delta|err)|rot_?(rel|diff|err)|delta_?r|diff_?(r|rot)",
    {"a": R1, "b": R2},
    "a @ b.transpose(-1, -2)",
    "a.transpose(-1, -2) @ b",
    "b @ a.transpose(-1, -2)",
    "b.transpose(-1, -2) @ a",
)
REL = r"rel(ative)?(_?(r|rot\w*|mat))?|r_?(rel|diff|delta|err)|rot_?(rel|diff|err)|delta_?r|diff_?(r|rot)"
TRACE = r"traces?|tr"
OF_PAIR = "(a * b).sum((-1, -2))"
TRACES = {"r": REL, "a": R1, "b": R2}
quantity("the trace", TRACE, TRACES, "r.diagonal(0, -2, -1).sum(-1)", OF_PAIR)
quantity(
    "the cosine of the angle of the rotation",
    r"cos(ine)?s?(_?(theta|angle|val|t|a))?",
    TRACES | {"t": TRACE},
    "(t - 1) / 2",
    "((t - 1) / 2).clamp(-1, 1)",
    *(f"(({each}) - 1) / 2" for each in ("r.diagonal(0, -2, -1).sum(-1)", OF_PAIR)),
    *(f"((({each}) - 1) / 2).clamp(-1, 1)" for each in ("r.diagonal(0, -2, -1).sum(-1)", OF_PAIR)),
)
measured(
    "the angle of the rotation",
    (
        r"thetas?|angles?|geodesic(_\w+)?|rot_?(err(or)?|angle|dist)|ang(ular)?(_?(err(or)?|"
        r"dist))?|angle_?(err\w*|diff)|r_?err"
    ),
    {"t": TRACE, "c": r"cos(ine)?s?(_?(theta|angle|val|t|a))?", "d": r"dots?|inner|q_?dot|cos_half|dot_prod\w*"}
    | TRACES,
    *(
        form.format(each)
        for form in (
            "acos(({}).clamp(-1, 1))",
            "acos(({}).clamp(-0.9999999, 0.9999999))",
            "acos(({}).clamp(-0.9999, 0.9999))",
            "57.29578 * acos(({}).clamp(-1, 1))",
        )
        for each in ("c", "(t - 1) / 2", f"({OF_PAIR} - 1) / 2", "(r.diagonal(0, -2, -1).sum(-1) - 1) / 2")
    ),
    "2 * acos(d.abs().clamp_max(1))",
    "2 * acos(d.clamp(-1, 1))",
    "acos((2 * d**2 - 1).clamp(-1, 1))",
    "1 - d**2",
    "1 - d.abs()",
    "acos(d.clamp(-1, 1))",
    "acos(d.abs().clamp(-1, 1))",
)
quantity(
    "the product of the quaternions",
    r"dots?|inner|q_?dot|cos_half|dot_prod\w*",
    {
        "a": r"q_?(1|a|p|pred|hat|est)|(pred|p|a)_?q(uat\w*)?|pred(ictions?)?|a|p|quat_?(1|pred)|qp",
        "b": r"q_?(2|b|t|gt|g|target|true)|(gt|target|t|b)_?q(uat\w*)?|gt|targets?|b|t|quat_?(2|gt|target)|qt",
    },
    *(
        f"({first} * {second}).sum({axis}){end}"
        for first, second in (
            ("a", "b"),
            ("a / a.norm(2, -1, True)", "b"),
            ("a / a.norm(2, -1, True)", "b / b.norm(2, -1, True)"),
        )
        for axis in (-1, 1)
        for end in ("", ".abs()", ".abs().clamp_max(1)", ".clamp(-1, 1)")
    ),
    "(a * b).sum()",
    "a * b",
    "a.mT @ b",
    "(a * b).flatten(1).sum(1)",
    "a @ b.mT",
    "(a * b).sum(0)",
)

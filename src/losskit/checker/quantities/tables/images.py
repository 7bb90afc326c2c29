"""Images: structural similarity, gradients, edges, depth and disparity, errors of pixels."""

from losskit.checker.quantities.forms import measured, quantity

MU1, MU2 = (
    r"(mu|mean|m|u)_?(1|x|a|p|pred|img1|i)|p_mean|x_mean",
    r"(mu|mean|m|u)_?(2|y|b|t|target|g|gt|img2|j)|[tgy]_mean",
)
SQ1, SQ2 = (
    rf"({MU1})_?(sq(uared)?|2|pow2)|mu1_sq|mux_?sq|mxx|mu_xx",
    rf"({MU2})_?(sq(uared)?|2|pow2)|mu2_sq|muy_?sq|myy|mu_yy",
)
MU12 = r"(mu|mean|m)_?(1_?2|1_?(mu|m)_?2|xy|x_?(mu|m)_?y|p_?t)|mu1_?mu2|mu_?x_?mu_?y"
V1, V2 = (
    r"(sigma|var|v|s)_?(1|x|a|11|xx|1_?1)(_?(sq(uared)?|2))?|(p|x|pred)_var|sigma1_sq",
    r"(sigma|var|v|s)_?(2|y|b|22|yy|2_?2)(_?(sq(uared)?|2))?|([tyg]|target)_var|sigma2_sq",
)
V12 = r"(sigma|cov|s|v|var)_?(1_?2|xy|x_?y|p_?t)|cov(ariance)?|cross|covar"
C1, C2 = r"c_?1", r"c_?2"
E11 = (
    r"e_?(x2|xx|11|x_sq)|(blur|mean|mu|conv|filt\w*|avg|pool)_?(xx|x2|11|x_sq|aa|img1_sq)|"
    r"(x2|xx|x_sq)_?(blur\w*|mean|mu)|exx"
)
E22 = (
    r"e_?(y2|yy|22|y_sq)|(blur|mean|mu|conv|filt\w*|avg|pool)_?(yy|y2|22|y_sq|bb|img2_sq)|"
    r"(y2|yy|y_sq)_?(blur\w*|mean|mu)|eyy"
)
E12 = r"e_?(xy|12)|(blur|mean|conv|filt\w*|avg|pool)_?(xy|12|ab)|xy_?(blur\w*|mean|mu)|exy"
quantity("the product of the means", MU12, {"m": MU1, "n": MU2}, "m * n")
for which, own, mean, square, second, image in (
    ("first", V1, MU1, SQ1, E11, r"(img|image|x|pred|p|i|im|a|input|output|sr)_?(1|x)?"),
    ("second", V2, MU2, SQ2, E22, r"(img|image|y|target|t|g|gt|j|im|b|ref|hr)_?(2|y)?"),
):
    quantity(f"the square of the mean of the {which} image", square, {"m": mean}, "m ** 2")
    quantity(
        f"the variance of the {which} image",
        own,
        {"q": square, "e": second, "m": mean, "k": r"windows?|win|kernel|w|channels?|c", "x": image},
        "e - m ** 2",
        "e - q",
        "(e - m ** 2).clamp_min(0)",
        "(e - q).clamp_min(0)",
        "(e - m ** 2).abs()",
        *(
            f"x.mul(x).unfold(-1, {size}, 1).unfold(-3, {size}, 1).mean((-1, -2)) - {term}"
            for size in (3, 7, 8, 11)
            for term in ("m ** 2", "q")
        ),
        *(
            f"conv2d(x * x, k.reshape(-1, 1, k.shape[-2], k.shape[-1]), None, 1, {pad}, 1, x.shape[1]) - {term}"
            for pad in ("k.shape[-1] // 2", "0")
            for term in ("m ** 2", "q")
        ),
    )
quantity(
    "the covariance of the images",
    V12,
    {
        "w": MU12,
        "m": MU1,
        "n": MU2,
        "e": E12,
        "k": r"windows?|win|kernel",
        "x": r"img_?1|image1|x|pred|p|a|input",
        "y": r"img_?2|image2|y|target|t|b|gt",
    },
    "e - m * n",
    "e - w",
    *(
        f"x.mul(y).unfold(-1, {size}, 1).unfold(-3, {size}, 1).mean((-1, -2)) - {term}"
        for size in (3, 7, 8, 11)
        for term in ("m * n", "w")
    ),
    *(
        f"conv2d(x * y, k.reshape(-1, 1, k.shape[-2], k.shape[-1]), None, 1, {pad}, 1, x.shape[1]) - {term}"
        for pad in ("k.shape[-1] // 2", "0")
        for term in ("m * n", "w")
    ),
)
SSIM = {"k": V12, "w": MU12, "f": SQ1, "h": SQ2, "m": MU1, "n": MU2, "v": V1, "u": V2, "c1": C1, "c2": C2}
SSIM |= {
    "lum": r"l|lum\w*|l_map|luminance",
    "cs": r"cs(_?map)?|contrast\w*",
    "top": r"(ssim_)?n(um(erator)?)?(_ssim)?|top|upper|ssim_n",
    "low": r"(ssim_)?d(en(om(inator)?)?)?|bottom|lower|ssim_d",
}
MEANS = (("2 * m * n", "m ** 2 + n ** 2"), ("2 * w", "f + h"), ("2 * w", "m ** 2 + n ** 2"), ("2 * m * n", "f + h"))
LUMINANCE = [f"({two} + c1) / ({one} + c1)" for two, one in MEANS]
CONTRAST = ["(2 * k + c2) / (v + u + c2)", "(2 * k + c2) / (v**2 + u**2 + c2)"]
measured("the luminance", r"lum\w*|l_map|l_term", SSIM, *LUMINANCE)
measured("the contrast and structure", r"cs(_?(map|val))?|contrast_?(structure|sens\w*)|v1_v2", SSIM, *CONTRAST)
measured(
    "the numerator of the structural similarity",
    r"ssim_?n(um(erator)?)?|num(erator)?_?ssim",
    SSIM,
    *(f"({two} + c1) * (2 * k + c2)" for two, _ in MEANS),
)
measured(
    "the denominator of the structural similarity",
    r"ssim_?d(en(om(inator)?)?)?|den(om(inator)?)?_?ssim",
    SSIM,
    *(f"({one} + c1) * (v + u + c2)" for _, one in MEANS),
    *(f"({one} + c1) * (v**2 + u**2 + c2)" for _, one in MEANS),
)
RATIO = [f"{light} * {contrast}" for light in LUMINANCE for contrast in CONTRAST]
RATIO += [f"{light} * cs" for light in LUMINANCE] + ["lum * cs", "top / low"]
measured(
    "the structural similarity",
    r"ssim(s)?(_?(map|val\w*|score|index|full|n))?|ssim_per_\w+",
    SSIM,
    *RATIO,
    *(f"((1 - ({each})) / 2).clamp(0, 1)" for each in RATIO),
    *(f"1 - ({each})" for each in RATIO),
)
measured(
    "the loss of the structural similarity",
    r"d_?ssim|ssim_?loss(es)?|loss_?ssim|l_ssim",
    {"s": r"ssims?(_?(map|val\w*|score|index))?|sim|score"},
    "1 - s",
    "(1 - s) / 2",
    "((1 - s) / 2).clamp(0, 1)",
    "(1 - s).clamp(0, 1)",
    "(1 - s).clamp(0, 2)",
)

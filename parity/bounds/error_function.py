"""erf of many numbers at once, in float64 and in longdouble.

In float64, rational approximations, each in its range of |x|: absolute error at most 2⁻⁵²; the bound of
erf, 12u of the certified format with u⁻¹ no less than 2⁸, has 12·2⁻⁵³ for its truth. The approximations
themselves are good to 2⁻⁵⁷ relative; the arguments of e^(−x²) are rounded once or twice, which is x² 2⁻⁵²
relative to erfc(x), and x² erfc(x) < 0.13 from 1.25 on.

In longdouble, Taylor's polynomials about the multiples of 1/16. With h = |x| − c, exact, |h| ≤ 1/32:

    erf(c + h) = a₀ + h (a₁ + h (a₂ + …)),  aₖ = (2/√π) (−1)^(k−1) H_(k−1)(c) e^(−c²)/k!

|Hₙ(c)| e^(−c²) ≤ 1.0865 2^(n/2) √n! leaves at most 6e-22 beyond h¹¹. With v = 2⁻⁶⁴, a₀ has an error of v
at most, the last sum of v, and what is added to a₀ of 0.2 v, since |h a₁| ≤ 0.036: 2.3 v in all, of the
12 v that the bound of erf has for its truth. From 6.75 on erf is ±1 to 2e-21.

Source: s_erf.c of Sun Microsystems' FreeBSD libm (1993), whose coefficients these are; Cody (1969);
NIST's Digital Library of Mathematical Functions, 7.10.1 and 18.14.9.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import flint
import numpy as np
import numpy.typing as npt

from parity.bounds import balls
from parity.bounds.overflow import Float64s

Longdoubles: TypeAlias = npt.NDArray[np.longdouble]

CENTRE = (
    (1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
     -5.77027029648944159157e-03, -2.37630166566501626084e-05),
    (1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
     1.32494738004321644526e-04, -3.96022827877536812320e-06),
)  # fmt: skip
"""erf(x) = x + x P(x²)/Q(x²), |x| < 0.84375: the coefficients of P and Q, lowest first."""

SHOULDER = (
    (-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
     3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
     -2.16637559486879084300e-03),
    (1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
     1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02),
)  # fmt: skip
"""erf(x) = c + P(s)/Q(s), s = |x| − 1, |x| < 1.25."""

SHOULDER_HEIGHT = 8.45062911510467529297e-01

FLANK = (
    (-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e01,
     -6.23753324503260060396e01, -1.62396669462573470355e02, -1.84605092906711035994e02,
     -8.12874355063065934246e01, -9.81432934416914548592e00),
    (1.0, 1.96512716674392571292e01, 1.37657754143519042600e02, 4.34565877475229228821e02,
     6.45387271733267880336e02, 4.29008140027567833386e02, 1.08635005541779435134e02,
     6.57024977031928170135e00, -6.04244152148580987438e-02),
)  # fmt: skip
"""erfc(x) = e^(−x² − 0.5625 + P(s)/Q(s))/x, s = 1/x², |x| < 1/0.35."""

TAIL = (
    (-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e01,
     -1.60636384855821916062e02, -6.37566443368389627722e02, -1.02509513161107724954e03,
     -4.83519191608651397019e02),
    (1.0, 3.03380607434824582924e01, 3.25792512996573918826e02, 1.53672958608443695994e03,
     3.19985821950859553908e03, 2.55305040643316442583e03, 4.74528541206955367215e02,
     -2.24409524465858183362e01),
)  # fmt: skip
"""The same, |x| < 6. From there on erf is ±1 to 2⁻⁵⁵."""

Rational = tuple[tuple[float, ...], tuple[float, ...]]


def erf(x: Float64s) -> Float64s:
    """erf of each number."""
    flat = np.ascontiguousarray(x, np.float64).reshape(-1)
    size = np.abs(flat)
    found = _centre(flat)
    beyond = ~(size < 0.84375)  # a NaN too, which stays one
    if beyond.any():
        found[beyond] = np.copysign(_beyond(size[beyond]), flat[beyond])
    return found.reshape(np.shape(x))


def _centre(x: Float64s) -> Float64s:
    found: Float64s = x + x * _ratio(CENTRE, x * x)
    return found


def _beyond(x: Float64s) -> Float64s:
    far = np.minimum(x, 6.0)
    found = 1 - _complement(np.where(x < 1 / 0.35, far, 2.0), FLANK)
    tail = x >= 1 / 0.35
    if tail.any():
        found[tail] = 1 - _complement(far[tail], TAIL)
    shoulder = x < 1.25
    if shoulder.any():
        found[shoulder] = SHOULDER_HEIGHT + _ratio(SHOULDER, x[shoulder] - 1)
    found[np.isnan(x)] = np.nan
    return found


def _complement(x: Float64s, rational: Rational) -> Float64s:
    square = x * x
    found: Float64s = np.exp(_ratio(rational, 1 / square) - 0.5625 - square) / x
    return found


def _ratio(rational: Rational, s: Float64s) -> Float64s:
    """P(s)/Q(s) by Horner's rule."""
    above, below = (_polynomial(coefficients, s) for coefficients in rational)
    above /= below
    return above


def _polynomial(coefficients: tuple[float, ...], s: Float64s) -> Float64s:
    *lower, highest = coefficients
    found = s * highest
    for one in reversed(lower[1:]):
        found += one
        found *= s
    found += lower[0]
    return found


NODES_IN_ONE, FARTHEST, DEGREE = 16, 6.75, 11
"""Of Taylor's polynomials: how many in an interval of 1, up to where, and of which degree."""


def erf_of_longdoubles(x: Longdoubles) -> Longdoubles:
    """erf of each number, to 3 · 2⁻⁶⁴."""
    size = np.minimum(np.abs(x), FARTHEST)  # a NaN stays one
    nodes = np.where(np.isnan(size), 0, np.rint(size * NODES_IN_ONE)).astype(np.intp)
    h = size - nodes / np.longdouble(NODES_IN_ONE)
    *lower, highest = _taylor()
    found = highest[nodes]
    for coefficients in reversed(lower):
        found *= h
        found += coefficients[nodes]
    return np.copysign(np.where(np.abs(x) < FARTHEST, found, 1 + 0 * size), x)


@cache
def _taylor() -> Longdoubles:
    """The coefficients by their power of h, and by node."""
    with balls.precision():
        rows = [_coefficients(flint.arb(node) / NODES_IN_ONE) for node in range(_last_node() + 1)]
        return balls.to_longdouble(np.array(rows, dtype=object).T)


def _last_node() -> int:
    return round(FARTHEST * NODES_IN_ONE)


def _coefficients(c: flint.arb) -> list[flint.arb]:
    """Of the polynomial about c. Hermite's polynomials follow from Hₙ₊₁ = 2c Hₙ − 2n Hₙ₋₁."""
    slope, before, hermite = 2 / flint.arb.pi().sqrt() * (-c * c).exp(), flint.arb(0), flint.arb(1)
    found, sign = [c.erf()], 1
    for k in range(1, DEGREE + 1):
        found.append(sign * slope * hermite / flint.arb.fac_ui(k))
        before, hermite = hermite, 2 * c * hermite - 2 * (k - 1) * before
        sign = -sign
    return found

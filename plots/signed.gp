# An axis for differences that may be negative and span decades: linear below a thousandth, logarithmic beyond, on both
# sides of zero. Needs `largest`, the largest size that the panel shows; `unset nonlinear y` ends it.
set nonlinear y via asinh(y / 0.001) inverse 0.001 * sinh(y)
set format y "%g"
unset mytics
if (largest > 0.3) {
    set ytics (-100, -10, -1, -0.1, -0.01, 0, 0.01, 0.1, 1, 10, 100)
} else {
    set ytics (-0.1, -0.01, -0.001, 0, 0.001, 0.01, 0.1)
}

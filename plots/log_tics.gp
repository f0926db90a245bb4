# Labels of a logarithmic axis (axis: "x" or "y") from axis_low to axis_high: decades, or numbers between them
# where there are few.
log_first = floor(log10(axis_low))
log_last = ceil(log10(axis_high))
unset mxtics
unset mytics
few = axis_high / axis_low < 300
log_steps = axis_high / axis_low < 8 ? "1 1.2 1.5 2 2.5 3 4 5 6 8" : "1 2 5"
if (axis eq "x") { set format x "%g"; set xtics auto } else { set format y "%g"; set ytics auto }
if (few) {
    if (axis eq "x") { set xtics ("" axis_low) } else { set ytics ("" axis_low) }
    do for [log_e = log_first:log_last] { do for [log_m in log_steps] {
        log_v = log_m * 10.0 ** log_e
        if (log_v >= axis_low && log_v <= axis_high) {
            if (axis eq "x") { set xtics add (sprintf("%g", log_v) log_v) } else { set ytics add (sprintf("%g", log_v) log_v) }
        }
    } }
} else {
    if (axis eq "x") { set format x "10^{%L}"; set mxtics 10 } else { set format y "10^{%L}"; set mytics 10 }
}

# The frame of a logarithmic axis of KL from the statistics kl, kl_low, kl_high and the floors (floor.gp): kl_bottom and
# kl_top follow the values; a bar that leaves the frame is wider than it. A noise floor within three decades is inside.
kl_top = kl_high_max < 4 * kl_max ? kl_high_max : 4 * kl_max
kl_bottom = kl_low_records > 0 && kl_low_min > kl_min / 4 ? kl_low_min : kl_min / 4
floor_shown = 0
floor_below = 0
do for [p = 1:8] {
    if (floor_known[p]) {
        if (floor_kl[p] > 0 && floor_kl[p] < kl_bottom && floor_kl[p] > kl_bottom / 1000) { kl_bottom = floor_kl[p] / 1.5 }
        if (floor_kl_high[p] > kl_bottom) { floor_shown = 1 } else { floor_below = 1 }
    }
}
kl_top = kl_top * 1.25
kl_bottom = kl_bottom / 1.25

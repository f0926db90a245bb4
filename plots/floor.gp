# The noise floor of each panel from columns floor_known, floor_delta_low, floor_delta_high, floor_kl, floor_kl_high.
# Loaded after style.gp; the data must have a column `panel` if panel_column is not set to 0.
array floor_known[8]
array floor_delta_low[8]
array floor_delta_high[8]
array floor_kl[8]
array floor_kl_high[8]
any_floor = 0
do for [i = 1:8] { floor_known[i] = 0; floor_delta_low[i] = 0; floor_delta_high[i] = 0; floor_kl[i] = 0; floor_kl_high[i] = 0 }
see_floor(p, known, dl, dh, k, kh) = known ? (floor_known[p] = 1, any_floor = 1, floor_delta_low[p] = dl, \
    floor_delta_high[p] = dh, floor_kl[p] = k, floor_kl_high[p] = kh, 1) : 0

# How many columns the legend has in width_in inches, and legend_in, the height that it then needs.
longest = strlen(floor_title)
do for [s = 1:series] { if (strlen(series_name(s)) > longest) { longest = strlen(series_name(s)) } }
legend_columns = int((width_in - 0.4) / (0.7 + 0.085 * longest))
legend_columns = legend_columns < 1 ? 1 : legend_columns > 4 ? 4 : legend_columns
legend_in = 0.25 + 0.225 * ceil((series + (floor_title eq "" ? 0 : 1)) / (1.0 * legend_columns))

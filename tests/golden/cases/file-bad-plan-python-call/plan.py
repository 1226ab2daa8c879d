tp_plan = {"lm_head": make_style(2)}

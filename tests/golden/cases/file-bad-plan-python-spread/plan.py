base = {}
tp_plan = {**base, "lm_head": "colwise"}

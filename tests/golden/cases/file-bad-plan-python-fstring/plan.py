tp_plan = {f"lm_head": "colwise"}

a_tp_plan = {"lm_head": "colwise"}
b_tp_plan = {"lm_head": "rowwise"}

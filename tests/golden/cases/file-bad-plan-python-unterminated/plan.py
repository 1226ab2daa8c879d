tp_plan = {"lm_head: "colwise"}

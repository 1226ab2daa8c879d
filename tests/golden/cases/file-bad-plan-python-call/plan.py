tp_plan = {"lm_head": ColwiseParallel()}

// The physics of one phase, apart from residuals.
#pragma once

#include "sim/network/expert_exchange.h"

namespace tpsim {

double exchange_physics_us(const ExchangeModel& model, const ExchangeShape& shape);
// That a rank sends to others.
double exchange_bytes(const ExchangeShape& shape);

}  // namespace tpsim

// Rotary position embeddings as a config describes them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tpsim {

struct Rotary {
  std::string layer_type;        // "" = of all layers
  std::string kind = "default";  // default, linear, dynamic, yarn, longrope, llama3, proportional
  std::int64_t columns = 0;      // of cos and sin
  bool half = false;             // columns = number of angles; else each angle stands twice
  bool odd = false;              // exponents are shares of columns - 1, which is odd
  double theta = 10000;
  double turned = 1;  // proportional: share of the angles that turn
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn
  double attention_factor = 0;                       // 0 = by formula
  double mscale = 0, mscale_all_dim = 0;
  bool truncate = true;
  double original_positions = 0, max_positions = 0;
  std::vector<double> short_factor, long_factor;  // longrope
  bool operator==(const Rotary&) const = default;
};

}  // namespace tpsim

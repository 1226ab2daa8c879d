// Settings as an answer: every flag that can have one, its value, and where that comes from.
#pragma once

#include "cli/document.h"
#include "cli/settings.h"

namespace tpsim::cli {

Document settings_document(const Settings& settings);

}  // namespace tpsim::cli

// Moving through modules, problems, the graph and time: what keys do to the View.
#pragma once

#include "gui/view/app.h"

namespace tpsim::gui {

void step_module(App& app, int by);
void step_problem(App& app, int by);
void walk_edge(App& app, bool forward);
void step_group(App& app, bool forward);
void step_back(App& app, int by);  // through earlier selections
void fit(App& app);                // the selection, and everything where the selection fits already
void fit_all(App& app);
void zoom(App& app, float factor);
void pan(App& app, float dx, float dy);  // shares of what is seen
void go_to_end(App& app, bool last);
void mark_event(App& app);
void measure(App& app);
void set_bookmark(App& app, std::size_t digit);
void use_bookmark(App& app, std::size_t digit);

}  // namespace tpsim::gui

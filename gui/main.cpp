#include "gui/view/program.h"

int main(int argc, char** argv) { return tpsim::gui::run({argv + (argc > 0 ? 1 : 0), argv + argc}); }

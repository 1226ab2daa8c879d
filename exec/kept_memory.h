// The process' allocator during a run.
#pragma once

namespace tpsim::exec {

// Memory that operations free is kept for the next ones (glibc; nothing elsewhere): giving it back to the system and
// taking it again, zeroed page by page, costs as much as an elementwise operation itself. To be called before the run's
// threads start.
void keep_freed_memory();

}  // namespace tpsim::exec

// Ctrl-C: the first asks the run to end, the second ends the program.
#pragma once

namespace sdgen::cli {

// From now on SIGINT and SIGTERM set a flag once; the next one has its usual effect. `tells`: the first is
// answered on standard error, at once.
void watch_interrupts(bool tells);

// Whether a signal has come since.
bool interrupted();

}  // namespace sdgen::cli

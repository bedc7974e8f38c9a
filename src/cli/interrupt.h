// Ctrl-C: the first asks the run to end, the second ends the program.
#pragma once

namespace sdgen::cli {

// From now on SIGINT and SIGTERM set a flag once; the next one has its usual effect.
void watch_interrupts();

// Whether a signal has come since.
bool interrupted();

}  // namespace sdgen::cli

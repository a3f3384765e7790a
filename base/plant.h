/* plant -- faults that are compiled in on purpose (-DPLANT=n), so that the tests of durability can prove that they would find them.
 *
 * tests/crash/plants_test.py lists them, builds each and names the stage that must catch it. PLANT is 0 in every build that ships:
 * the branches are constants and leave no code. */
#pragma once

#ifndef PLANT
#define PLANT 0
#endif
#define PLANTED(n) (PLANT == (n))

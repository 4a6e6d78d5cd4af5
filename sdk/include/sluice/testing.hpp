// SPDX-License-Identifier: Apache-2.0
//
// For the unit tests of a plugin, with any test framework and without an agent:
//
//   sluice::test::Instance meter(sluice::descriptor<Meter>(), R"(port = "/dev/null")");
//   meter.start();                                            // or meter.poll(), or meter.send(message)
//   EXPECT_EQ(meter.wait_emitted(1)[0].number("value"), 21.5);
//
// sluice::test::check(plugin, settings) says what the agent would say of settings.
#pragma once

#include <sluice/plugin.hpp>
#include <sluice/testing/check.hpp>
#include <sluice/testing/fake_host.hpp>
#include <sluice/testing/instance.hpp>
#include <sluice/testing/node.hpp>
#include <sluice/testing/recorded.hpp>
#include <sluice/testing/settings.hpp>

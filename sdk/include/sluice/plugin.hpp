// SPDX-License-Identifier: Apache-2.0
//
// The C++17 layer on plugin.h, which is made of that and the standard library, and nothing else. A plugin is
// a class:
//
//   struct Clock {
//     static sluice::Description describe() {
//       return sluice::Description("clock", "1.0.0", "Says what time it is.");
//     }
//     Clock(sluice::Host host, const sluice::Settings&) : host_(host) {}
//     void poll() { host_.emit(sluice::Message().sample("value", host_.now().wall_ns)); }
//     sluice::Host host_;
//   };
//   SLUICE_PLUGIN(Clock)
//
// What the class has
//   describe()                          what it declares; called once, when the library is loaded
//   constructor(Host, const Settings&)  reads its settings. Opens no device
//   one of  void run()                  works until stopping(), taking messages by Host::receive
//           void poll()                 called every `interval`
//           void handle(Messages)       takes messages, and answers each by Host::complete, retry or refuse
//           void handle(const ReceivedMessage&)    takes one; answered by its return (or by a Message that it
//           returns,
//                                       the result), or by a Retry or Refused that it throws
//   and optionally
//           static void validate(const Settings&, Report&)   what types and ranges cannot say; no input or
//           output static void plan(const Settings&, Report&)       what the instance will do, for `sluice
//           check`; the same void stop() noexcept        from another thread, once; may not block void
//           committed(std::uint64_t cookie, bool ok) noexcept    answers Host::emit_durable; from any thread
//
// An exception that leaves one of them fails the instance with its text; the agent backs off and makes a new
// one. So an author writes no reconnection: throw where the device is gone. The destructor closes what run or
// poll opened.
#pragma once

#include <sluice/description.hpp>
#include <sluice/host.hpp>
#include <sluice/settings.hpp>

#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>

namespace sluice {
inline namespace v1 {
namespace abi {

template <class, template <class> class, class = void>
struct detected : std::false_type {};
template <class P, template <class> class Expression>
struct detected<P, Expression, std::void_t<Expression<P>>> : std::true_type {};
template <class P, template <class> class Expression>
inline constexpr bool has = detected<P, Expression>::value;

template <class P>
using run_call = decltype(std::declval<P&>().run());
template <class P>
using poll_call = decltype(std::declval<P&>().poll());
template <class P>
using handle_all_call = decltype(std::declval<P&>().handle(std::declval<Messages&>()));
template <class P>
using handle_one_call = decltype(std::declval<P&>().handle(std::declval<const ReceivedMessage&>()));
template <class P>
using stop_call = decltype(std::declval<P&>().stop());
template <class P>
using committed_call = decltype(std::declval<P&>().committed(std::uint64_t{}, true));
template <class P>
using validate_call = decltype(P::validate(std::declval<const Settings&>(), std::declval<Report&>()));
template <class P>
using plan_call = decltype(P::plan(std::declval<const Settings&>(), std::declval<Report&>()));

// The bare names, so that one with another signature is an error and not silently left out.
template <class P>
using stop_name = decltype(&P::stop);
template <class P>
using committed_name = decltype(&P::committed);
template <class P>
using validate_name = decltype(&P::validate);
template <class P>
using plan_name = decltype(&P::plan);

template <class P, template <class> class Name, template <class> class Call>
inline constexpr bool well_formed = !has<P, Name> || has<P, Call>;

// The functions of the C interface for the class P. No exception leaves them.
template <class P>
class Trampolines {
  static constexpr bool handles_one = has<P, handle_one_call>;
  static constexpr bool handles = handles_one || has<P, handle_all_call>;

  static_assert(int{has<P, run_call>} + int{has<P, poll_call>} + int{handles} == 1,
                "a plugin has exactly one of: void run(), void poll(), void handle(sluice::Messages), "
                "void handle(const sluice::ReceivedMessage&); public");
  static_assert(std::is_constructible_v<P, Host, const Settings&>,
                "a plugin has a public constructor (sluice::Host, const sluice::Settings&)");
  static_assert(well_formed<P, stop_name, stop_call>, "expected void stop() noexcept");
  static_assert(well_formed<P, committed_name, committed_call>,
                "expected void committed(std::uint64_t cookie, bool ok) noexcept");
  static_assert(well_formed<P, validate_name, validate_call>,
                "expected static void validate(const sluice::Settings&, sluice::Report&)");
  static_assert(well_formed<P, plan_name, plan_call>,
                "expected static void plan(const sluice::Settings&, sluice::Report&)");

 public:
  static void fill(sluice_plugin& plugin) noexcept {
    if constexpr (has<P, validate_call>) plugin.validate = &validate;
    if constexpr (has<P, plan_call>) plugin.plan = &plan;
    plugin.create = &create;
    plugin.destroy = &destroy;
    if constexpr (has<P, run_call>) plugin.run = &run;
    if constexpr (has<P, poll_call>) plugin.poll = &poll;
    if constexpr (handles) plugin.handle = &handle;
    if constexpr (has<P, stop_call>) plugin.stop = &stop;
    if constexpr (has<P, committed_call>) plugin.committed = &committed;
    if (plugin.roles == 0) plugin.roles = handles ? SLUICE_TAKES : SLUICE_EMITS;
  }

 private:
  struct Instance {
    Instance(const sluice_host* raw, const sluice_setting* settings)
        : host(raw), plugin(host, Settings(settings)) {}
    Host host;
    P plugin;
  };

  static P& plugin(void* instance) noexcept { return static_cast<Instance*>(instance)->plugin; }

  template <class Work>
  static sluice_status guarded(sluice_text* error, Work&& work) noexcept {
    try {
      work();
      return SLUICE_OK;
    } catch (const std::exception& problem) {
      write(error, problem.what());
    } catch (...) {
      write(error, "an exception that is not a std::exception");
    }
    return SLUICE_FAILED;
  }

  template <class Work>
  static sluice_status reported(const sluice_setting* settings, const sluice_report* raw,
                                Work&& work) noexcept {
    Report report(raw);
    try {
      work(Settings(settings), report);
      return SLUICE_OK;
    } catch (const SettingError& wrong) {
      report.problem(wrong.at(), wrong.problem());
      return SLUICE_OK;
    } catch (const std::exception& problem) {
      report.problem(settings, problem.what());
    } catch (...) {
      report.problem(settings, "an exception that is not a std::exception");
    }
    return SLUICE_FAILED;
  }

  static sluice_status validate(const sluice_setting* settings, const sluice_report* report) noexcept {
    return reported(settings, report, [](const Settings& of, Report& to) { P::validate(of, to); });
  }
  static sluice_status plan(const sluice_setting* settings, const sluice_report* report) noexcept {
    return reported(settings, report, [](const Settings& of, Report& to) { P::plan(of, to); });
  }
  static sluice_status create(const sluice_host* host, const sluice_setting* settings, void** instance,
                              sluice_text* error) noexcept {
    return guarded(error, [&] { *instance = new Instance(host, settings); });
  }
  static void destroy(void* instance) noexcept { delete static_cast<Instance*>(instance); }
  static sluice_status run(void* instance, sluice_text* error) noexcept {
    return guarded(error, [&] { plugin(instance).run(); });
  }
  static sluice_status poll(void* instance, sluice_text* error) noexcept {
    return guarded(error, [&] { plugin(instance).poll(); });
  }
  static sluice_status handle(void* instance, sluice_array raw, sluice_text* error) noexcept {
    return guarded(error, [&] {
      Messages messages(raw);
      if constexpr (handles_one) {
        const Host& host = static_cast<Instance*>(instance)->host;
        for (const ReceivedMessage& message : messages) {
          host.answer(message, [&] { return plugin(instance).handle(message); });
        }
      } else {
        plugin(instance).handle(messages);
      }
    });
  }
  static void stop(void* instance) noexcept {
    guarded(nullptr, [&] { plugin(instance).stop(); });
  }
  static void committed(void* instance, std::uint64_t cookie, sluice_status status) noexcept {
    guarded(nullptr, [&] { plugin(instance).committed(cookie, status == SLUICE_OK); });
  }
};

}  // namespace abi

// The descriptor of the class P, made at the first call. Its memory is never given back, so that it outlives
// every instance, also at the end of the process. Where describe() throws, a descriptor of size 0, which the
// agent refuses.
template <class P>
const sluice_plugin& descriptor() noexcept {
  static const sluice_plugin* const made = []() noexcept -> const sluice_plugin* {
    static const sluice_plugin nothing{};
    try {
      auto* storage = new DescriptorStorage(P::describe());
      abi::Trampolines<P>::fill(storage->plugin());
      return &storage->plugin();
    } catch (...) {
      return &nothing;
    }
  }();
  return *made;
}

}  // namespace v1
}  // namespace sluice

// Once, in one source file of the library, at namespace scope.
#define SLUICE_PLUGIN(Class)                                            \
  extern "C" {                                                          \
  extern SLUICE_EXPORT const sluice_plugin sluice_plugin_v1;            \
  const sluice_plugin sluice_plugin_v1 = ::sluice::descriptor<Class>(); \
  }

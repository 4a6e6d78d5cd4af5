// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/broker.hpp"
#include "support/fake_broker.hpp"
#include "support/subscriber.hpp"
#include "support/unaccepting_listener.hpp"

namespace sluice::test {
namespace {

TEST(Process, KeepsOutputAndStatus) {
  const Finished finished = run({"/bin/sh", "-c", "cat; echo error >&2; exit 3"}, {}, "text\n");
  EXPECT_EQ(finished.status, 3);
  EXPECT_EQ(finished.output, "text\nerror\n");
}

TEST(Process, IsEndedByItsOwner) {
  pid_t pid = 0;
  {
    Process process({"/bin/sleep", "1000"});
    pid = process.pid();
    EXPECT_TRUE(process.running());
    process.signal(SIGSTOP);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(Process, TellsTheSignalThatEndedIt) {
  Process process({"/bin/sleep", "1000"});
  EXPECT_EQ(process.terminate(), 128 + SIGTERM);
}

TEST(Process, SetsEnvironmentAndDirectory) {
  ProcessOptions options;
  options.directory = "/";
  options.environment = {{"COLOUR", "green"}};
  EXPECT_EQ(run({"/bin/sh", "-c", "echo $COLOUR; pwd"}, options).output, "green\n/\n");
}

TEST(TemporaryDirectory, IsRemovedWithItsContent) {
  std::filesystem::path path;
  {
    const TemporaryDirectory directory;
    path = directory.path();
    EXPECT_EQ(read_file(directory.write("a/b", "text")), "text");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Broker, DeliversToASubscriberOfAnotherMake) {
  Broker broker;
  Subscriber subscriber(broker.port());
  PublishOptions options;
  options.content_type = "text/plain";
  options.response_topic = "answer/here";
  options.correlation_data = std::string("\x00\xff", 2).substr(0, 1);
  options.user_properties = {{"a", "1"}, {"a", "2"}};
  options.expiry = 100;
  publish(broker.port(), "plant/1", "21.5", options);
  ASSERT_TRUE(subscriber.wait_for(1));
  const Received& message = subscriber.messages().front();
  EXPECT_EQ(message.topic, "plant/1");
  EXPECT_EQ(message.payload, "21.5");
  EXPECT_EQ(message.qos, 1);
  EXPECT_EQ(message.content_type, "text/plain");
  EXPECT_EQ(message.response_topic, "answer/here");
  EXPECT_EQ(message.correlation_data, options.correlation_data);
  EXPECT_EQ(message.user_properties, options.user_properties);
  EXPECT_EQ(message.expiry, 100);
}

TEST(Broker, KeepsAPersistentSessionAcrossARestart) {
  BrokerOptions options;
  options.persistence = true;
  Broker broker(options);
  SubscriberOptions persistent;
  persistent.persistent_id = "reader";
  { const Subscriber first(broker.port(), persistent); }
  publish(broker.port(), "plant/1", "kept");
  broker.restart();
  Subscriber second(broker.port(), persistent);
  EXPECT_TRUE(second.wait_for(1));
}

TEST(Broker, AsksForPasswords) {
  BrokerOptions options;
  options.users = {{"reader", "secret"}};
  const Broker broker(options);
  EXPECT_THROW(publish(broker.port(), "a", "b"), std::runtime_error);
  PublishOptions with_password;
  with_password.username = "reader";
  with_password.password = "secret";
  EXPECT_NO_THROW(publish(broker.port(), "a", "b", with_password));
}

TEST(FakeBroker, RecordsWhatItReceivesAndAnswersAsTold) {
  FakeBroker broker(R"([{"puback": {"bad": 135}}])");
  publish(broker.port(), "good", "payload");
  const auto published = broker.packets("PUBLISH");
  ASSERT_EQ(published.size(), 1U);
  EXPECT_EQ(published[0].at("payload"), "payload");
  EXPECT_TRUE(broker.wait_for("DISCONNECT", 1));
}

TEST(UnacceptingListener, LeavesConnectionsPending) {
  const UnacceptingListener listener;
  const FileDescriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(listener.port());
  EXPECT_NE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  pollfd waiting{client.get(), POLLOUT, 0};
  EXPECT_EQ(::poll(&waiting, 1, 100), 0);
}

}  // namespace
}  // namespace sluice::test

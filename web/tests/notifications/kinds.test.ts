import { expect, it } from "vitest";
import type { ChannelSettings } from "../../src/api/types";
import en from "../../src/locales/en";
import { CHANNEL_KINDS, CHANNELS, channelSettings, fieldsOf, typedSecrets } from "../../src/notifications/kinds";

it("settings that go into a form come out of it as they were", () => {
  const known: ChannelSettings[] = [
    {
      kind: "email",
      host: "mail.example.org",
      port: 465,
      security: "tls",
      sender: "ci@example.org",
      to: ["a@example.org", "b@example.org"],
      template: "${subject}\n",
    },
    { kind: "slack" },
    { kind: "webhook", url: "https://example.org/hook" },
    { kind: "gitea", repository: "ada/shop", api: "https://git.example.org" },
  ];
  for (const settings of known) expect(channelSettings(settings.kind, fieldsOf(settings.kind, settings))).toEqual(settings);
});

it("what is null in a channel is empty in its form, and left out of what is sent", () => {
  const fields = fieldsOf("email", { kind: "email", host: "a", port: 25, security: "none", user: null, template: null });
  expect([fields["user"], fields["template"]]).toEqual(["", ""]);
  expect(channelSettings("email", fields)).toEqual({ kind: "email", host: "a", port: 25, security: "none" });
});

it("secrets that were not typed stay as they are", () => {
  expect(typedSecrets({ url: "", sign: "" })).toBe(null);
  expect(typedSecrets({ url: "https://x", sign: "" })).toEqual({ url: "https://x" });
});

it("every field and secret of every kind has a name that people read", () => {
  for (const kind of CHANNEL_KINDS) {
    for (const { name } of CHANNELS[kind].fields) expect(en.notifications.fields).toHaveProperty(name);
    for (const { name, label } of CHANNELS[kind].secrets) expect(en.notifications.secretNames).toHaveProperty(label ?? name);
  }
});

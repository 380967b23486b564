import type { NotificationFilter } from "../filters";
import { query, type Http } from "../http";
import type { Channel, ChannelDraft, Notification, Page, Rule, RuleDraft } from "../types";

/** Channels, rules, and the outbox. */
export const notificationCalls = (http: Http) => ({
  channels: (): Promise<Channel[]> => http.all("/api/channels"),
  addChannel: (draft: ChannelDraft): Promise<Channel> => http.post("/api/channels", draft),
  /** What is left out stays; `secrets` replaces all of them. */
  changeChannel: (
    id: number,
    change: Partial<Omit<ChannelDraft, "project"> & { enabled: boolean }>,
  ): Promise<Channel> => http.patch(`/api/channels/${id}`, change),
  removeChannel: (id: number): Promise<void> => http.delete(`/api/channels/${id}`),
  testChannel: (id: number): Promise<{ ok: boolean; detail: string }> => http.post(`/api/channels/${id}/test`),
  rules: (): Promise<Rule[]> => http.all("/api/notification-rules"),
  addRule: (draft: RuleDraft): Promise<Rule> => http.post("/api/notification-rules", draft),
  changeRule: (id: number, change: Partial<Pick<Rule, "on" | "branches" | "enabled">>): Promise<Rule> =>
    http.patch(`/api/notification-rules/${id}`, change),
  removeRule: (id: number): Promise<void> => http.delete(`/api/notification-rules/${id}`),
  notifications: (filter: NotificationFilter): Promise<Page<Notification>> =>
    http.get(`/api/notifications${query({ ...filter })}`),
  sendAgain: (id: number): Promise<Notification> => http.post(`/api/notifications/${id}/retry`),
});

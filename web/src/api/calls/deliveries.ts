import type { DeliveryFilter } from "../filters";
import { query, type Http } from "../http";
import type { Delivery, DeliveryDetail, Page, Refusal, ReplayAnswer, ReplaysAnswer } from "../types";

/** Webhooks as they arrived. */
export const deliveryCalls = (http: Http) => ({
  deliveries: (filter: DeliveryFilter): Promise<Page<Delivery>> => http.get(`/api/deliveries${query({ ...filter })}`),
  delivery: (id: number): Promise<DeliveryDetail> => http.get(`/api/deliveries/${id}`),
  deliveryBodyUrl: (id: number): string => `${http.base}/api/deliveries/${id}/body`,
  replay: (id: number): Promise<ReplayAnswer> => http.post(`/api/deliveries/${id}/replay`),
  replayMany: (ids: readonly number[]): Promise<ReplaysAnswer> => http.post("/api/deliveries/replay", { ids }),
  refusals: (): Promise<Refusal[]> => http.all("/api/refusals"),
});

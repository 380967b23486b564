import type { DeliveryState } from "./states";

/** What one trigger made of an event: a run, or why none. */
export interface Outcome {
  trigger: number;
  name: string;
  plan: number;
  plan_name: string;
  run: number | null;
  /** In its project. */
  run_number: number | null;
  why_not: string | null;
}

/** A webhook as it arrived, and what came of it. */
export interface Delivery {
  id: number;
  project: number;
  project_name: string;
  source: string;
  event: string | null;
  key: string | null;
  state: DeliveryState;
  detail: string | null;
  runs: number[];
  /** Of the same runs, in the same order. */
  run_numbers: number[];
  /** Null: no trigger was asked. */
  outcomes: Outcome[] | null;
  replays: number;
  received_at: string;
  /** When retention took headers and body. */
  removed_at: string | null;
}

export interface Replay {
  id: number;
  by: string;
  at: string;
  state: DeliveryState;
  detail: string | null;
  outcomes: Outcome[] | null;
}

export interface DeliveryDetail {
  delivery: Delivery;
  headers: Record<string, string>;
  /** Null: none, or removed. */
  body: string | null;
  /** Bytes of the whole body; `cut`: `body` is its beginning. */
  size: number;
  cut: boolean;
  replayed: Replay[];
}

export interface ReplayAnswer {
  delivery: number;
  project_name: string;
  replay: number;
  runs: number[];
  run_numbers: number[];
  state: DeliveryState;
  detail: string | null;
}

export interface ReplaysAnswer {
  deliveries: number[];
  replayed: ReplayAnswer[];
  failed: { delivery: number; detail: string }[];
}

/** A webhook that was refused. */
export interface Refusal {
  id: number;
  project: string;
  source: string;
  why: string;
  headers: Record<string, string>;
  refused_at: string;
}

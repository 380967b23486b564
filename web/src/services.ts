import type { InjectionKey, Ref } from "vue";
import type { Api } from "./api/client";
import type { ConnectionState, LiveConnection } from "./live/connection";

export interface Live {
  connection: LiveConnection;
  state: Ref<ConnectionState>;
}

/** What the parts of the page share; `main.ts` makes and provides them. */
export const apiKey: InjectionKey<Api> = Symbol("api");
export const liveKey: InjectionKey<Live> = Symbol("live");

import { defineStore } from "pinia";
import { inject, ref } from "vue";
import { Problem } from "../api/problem";
import type { Session } from "../api/types";
import { apiKey } from "../services";

export const useSession = defineStore("session", () => {
  const api = inject(apiKey)!;
  const user = ref<Session | null>(null);

  /** Ask the server who we are; null when nobody is signed in. Throws `Problem` when it cannot say. */
  async function load(): Promise<Session | null> {
    try {
      user.value = await api.session();
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.status !== 401) throw problem;
      user.value = null;
    }
    return user.value;
  }

  async function signIn(code: string): Promise<void> {
    await api.signIn(code);
    await load();
  }

  async function signInWithToken(token: string): Promise<void> {
    await api.signInWithToken(token);
    await load();
  }

  async function signOut(): Promise<void> {
    await api.signOut();
    user.value = null;
  }

  function lost(): void {
    user.value = null;
  }

  return { user, load, signIn, signInWithToken, signOut, lost };
});

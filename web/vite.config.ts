import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

const server = process.env.TAILRACE_DEV_SERVER ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [vue()],
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
    __INTLIFY_DROP_MESSAGE_COMPILER__: false,
  },
  build: {
    target: "es2022",
    // light-dark() as the browsers know it; older targets would get a workaround instead.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // The server's policy allows no data: scripts or fonts; files keep it simple.
    assetsInlineLimit: 0,
  },
  server: {
    proxy: {
      "/api": { target: server, ws: true },
      "/hooks": server,
    },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});

import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    // The page's policy allows no inline data but pictures.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  server: {
    // `npx vite` beside a running gateway: the page comes from here, everything else from there.
    proxy: Object.fromEntries(
      ["/api", "/texture"].map((path) => [path, { target: process.env.GATEWAY ?? "http://127.0.0.1:9002", ws: true }]),
    ),
  },
});

import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    outDir: 'dist/page',
    emptyOutDir: true,
    target: 'es2022',
    // Everything comes from the collector's own origin, under its content security policy: no inline script or style.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
});

const js = require("@eslint/js");
const globals = require("globals");

module.exports = [
  js.configs.recommended,
  {
    files: ["follower/websocket/web/*.js"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.browser },
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }], "no-var": "error", "prefer-const": "error",
      "no-eval": "error", "no-implied-eval": "error", "no-shadow": "error", "max-len": ["error", 125],
    },
  },
  {
    files: ["follower/websocket/web/*-worklet.js"],
    languageOptions: { globals: { ...globals.audioWorklet, currentFrame: "readonly", sampleRate: "readonly",
      registerProcessor: "readonly", AudioWorkletProcessor: "readonly" } },
  },
];

// First of all: what comes after already reads it.
import './no-eval.js';
import { render } from 'preact';
import { App } from './app.js';
import { link } from './link.js';
import './session.js';
import { language } from './text/index.js';
import './style.css';

document.documentElement.lang = language.value;
link.start();
const root = document.getElementById('app');
if (root) render(<App />, root);

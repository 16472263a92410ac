/**
 * The page that plays one stream, or several side by side.
 *
 * @module
 */

import { Stage } from './player/stage.js';

const stage = new Stage(new URLSearchParams(location.search));
// In a task of its own: between two short ones the browser paints, and takes clicks.
setTimeout(() => stage.start());

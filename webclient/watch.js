/**
 * The page that plays one stream, or several side by side.
 *
 * @module
 */

import { Stage } from './player/stage.js';

// In tasks of their own: between short ones the browser paints, and takes clicks.
setTimeout(() => {
  const stage = new Stage(new URLSearchParams(location.search));
  setTimeout(() => stage.start());
});

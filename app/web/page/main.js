/** Puts the page together. */

import { byId } from "./dom.js";
import { acceptDrops, showIntake } from "./intake.js";
import { showOpenJob } from "./job-view.js";
import { showJobs } from "./jobs.js";
import { watchAddress } from "./route.js";
import { requireSession, watchSession } from "./session.js";
import { handleShortcuts } from "./shortcuts.js";
import { transport } from "./transport.js";
import { guardUploads, startUploads } from "./uploads.js";
import { refresh, watchJobs } from "./watch.js";

// Before anything is asked: a file that is dropped meanwhile waits, and does not replace the page.
acceptDrops();
guardUploads();
byId("loading").remove(); // for whole.js
await requireSession();
watchAddress();
showIntake(byId("intake"));
showJobs(byId("jobs"));
const { result } = showOpenJob(byId("main"));
startUploads();
handleShortcuts(transport, result);
watchJobs();
watchSession(refresh);

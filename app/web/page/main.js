/** Puts the page together. */

import { byId } from "./dom.js";
import { acceptDrops, showIntake } from "./intake.js";
import { showOpenJob } from "./job-view.js";
import { showJobs } from "./jobs.js";
import { watchAddress } from "./route.js";
import { requireSession, watchSession } from "./session.js";
import { handleShortcuts } from "./shortcuts.js";
import { transport } from "./transport.js";
import { guardUploads } from "./uploads.js";
import { refresh, watchJobs } from "./watch.js";

await requireSession();
watchAddress();
showIntake(byId("intake"));
acceptDrops();
showJobs(byId("jobs"));
const { result } = showOpenJob(byId("main"));
guardUploads();
handleShortcuts(transport, result);
watchJobs();
watchSession(refresh);

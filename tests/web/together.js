// A file of clicks and the notes that belong to them, played by the page's own transport; gives, for each note, how far
// from its click it sounds, in ms. The two sounds are taken where they leave for the loudspeaker. Notes are placed by
// the same clock as the playhead, so this is also how far the playhead is from what is heard.
async ({ rate = 1, seconds, duration = 60, from = 0, sr = 44100 }) => {
  const RealAnalyser = AnalyserNode;
  const ends = [];
  globalThis.AnalyserNode = class extends RealAnalyser { constructor(...a) { super(...a); ends.push(this); } };
  const { transport } = await import("/page/transport.js");
  const { NoteList } = await import("/page/notes.js");
  const spacing = 0.7;
  const file = new DataView(new ArrayBuffer(44 + 2 * sr * duration));
  const text = (at, letters) => [...letters].forEach((letter, i) => file.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); text(8, "WAVEfmt "); text(36, "data");
  const size = 2 * sr * duration;
  [[4, 36 + size], [16, 16], [24, sr], [28, 2 * sr], [40, size]].forEach(([at, n]) => file.setUint32(at, n, true));
  [[20, 1], [22, 1], [32, 2], [34, 16]].forEach(([at, n]) => file.setUint16(at, n, true));
  const notes = [];
  for (let at = spacing; at < duration - 1; at += spacing) {
    const first = Math.round(at * sr);
    // Sharp at its start at any rate, and a hundredth of a second long.
    for (let k = 0; k < sr / 100; k++) file.setInt16(44 + 2 * (first + k), 20000 * Math.sin((22050 * k) / sr), true);
    notes.push({ onset: at, offset: at + 0.05, pitch: 96, velocity: 110, confidence: 1 });
  }
  transport.open(URL.createObjectURL(new Blob([file.buffer], { type: "audio/wav" })), duration, 440);
  transport.setNotes(new NoteList(notes));
  transport.setRate(rate);
  transport.seek(from);
  transport.play();
  while (ends.length < 2) await new Promise((done) => setTimeout(done, 10));
  const { context } = ends[0];
  const both = new ChannelMergerNode(context, { numberOfInputs: 2 });
  ends.forEach((end, i) => end.connect(both, 0, i));
  const tap = context.createScriptProcessor(1024, 2, 1);
  both.connect(tap).connect(context.destination);
  const onsets = [[], []];
  const loudUntil = [-1, -1];
  let heard = 0;
  tap.onaudioprocess = ({ inputBuffer }) => {
    onsets.forEach((found, channel) => inputBuffer.getChannelData(channel).forEach((sample, i) => {
      if (Math.abs(sample) < 0.03) return;
      const at = (heard + i) / context.sampleRate;
      if (at - loudUntil[channel] > 0.2) found.push(at);
      loudUntil[channel] = at;
    }));
    heard += 1024;
  };
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  transport.close();
  const [clicks, played] = onsets;
  const off = (at) => 1000 * Math.min(...clicks.map((click) => Math.abs(at - click)));
  return played.filter((at) => at > clicks[0] - 0.1 && at < clicks.at(-1) + 0.1).map(off);
}

// The camera, with an oval to look into.

const dialog = document.getElementById("camera");
const video = dialog.querySelector("video");

export const possible = () => Boolean(navigator.mediaDevices?.getUserMedia);

/** Calls `take` with each photo; `blocked` where the camera cannot be used. */
export function listen(take, blocked) {
  document.getElementById("use-camera").addEventListener("click", () => open().catch(blocked));
  dialog.querySelector(".shutter").addEventListener("click", async () => {
    const photo = await shoot();
    dialog.close();
    take(photo);
  });
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  });
}

async function open() {
  video.srcObject = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: "user", width: { ideal: 1920 }, height: { ideal: 1440 } },
  });
  dialog.showModal();
  await video.play();
}

/** What the camera sees now, not mirrored: as others see the face, and as photos show it. */
function shoot() {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
}

/* Hands the launch data of a Mini App, which stand behind the address's "#", to the server, and takes them out of it.
   See https://core.telegram.org/api/web-events#web-app-ready. */
(function () {
  "use strict";
  var form = document.getElementById("launch");
  var given = new URLSearchParams(location.hash.slice(1));
  var say = function (event) {
    var data = JSON.stringify({ eventType: event, eventData: null });
    if (window.TelegramWebviewProxy) {
      window.TelegramWebviewProxy.postEvent(event, "null");
    } else if (window.external && "notify" in window.external) {
      window.external.notify(data);
    } else if (window.parent !== window) {
      window.parent.postMessage(data, "https://web.telegram.org");
    }
  };
  if (!given.get("tgWebAppData")) {
    return;
  }
  say("web_app_ready");
  say("web_app_expand");
  form.elements.launch.value = given.get("tgWebAppData");
  form.elements.theme.value = given.get("tgWebAppThemeParams") || "";
  history.replaceState(null, "", location.pathname + location.search);
  form.submit();
})();

/* Set-up: loads the page anew when what it waits for has changed, and goes on asking while the program behind it starts
   anew; sends a file in pieces, because a request takes no more than one, over a network that may fail now and then. */
(function () {
  "use strict";
  var page = document.getElementById("page");
  var ask = function () {
    fetch(page.dataset.ask, { cache: "no-store" })
      .then(function (answer) {
        if (answer.redirected) {
          location.reload();
        }
        return answer.ok && !answer.redirected ? answer.json() : null;
      })
      .then(function (said) {
        if (said && said.state !== page.dataset.state) {
          location.reload();
        }
      })
      .catch(function () {})
      .finally(function () {
        setTimeout(ask, 1500);
      });
  };
  if (page.dataset.ask) {
    ask();
  }

  var PIECE = 200 * 1024;
  var PAUSES = [500, 1000, 2000, 4000, 8000];
  var input = document.getElementById("f-file");
  if (!input) {
    return;
  }
  var said = document.getElementById("sent");
  var button = document.getElementById("go");
  var token = document.querySelector("input[name=token]").value;
  var giveUp = function () {
    said.textContent = said.dataset.failed;
    button.disabled = false;
    input.value = ""; // else the same file, chosen again, is no change
  };
  /* How much of the file is there. A piece whose answer was lost is there, and refused when it comes again. */
  var arrived = function (answer, at) {
    return answer.json().then(function (here) {
      if (!answer.ok && (here.at <= at || here.at > at + PIECE)) {
        throw new Error(String(answer.status));
      }
      return here.at;
    });
  };
  var send = function (file, at, tab, tried) {
    said.textContent = Math.round((at / file.size) * 100) + " %";
    if (at >= file.size) {
      said.textContent = said.dataset.done;
      button.disabled = false;
      return;
    }
    var again = function () {
      if (tried < PAUSES.length) {
        setTimeout(send, PAUSES[tried], file, at, tab, tried + 1);
      } else {
        giveUp();
      }
    };
    fetch(input.dataset.send + "?at=" + at + "&tab=" + tab + "&name=" + encodeURIComponent(file.name), {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "X-Form-Token": token },
      body: file.slice(at, at + PIECE),
    }).then(function (answer) {
      if (answer.status === 429 || (answer.status > 500 && answer.status < 505)) {
        again();
        return;
      }
      arrived(answer, at).then(function (here) {
        send(file, here, tab, 0);
      }, giveUp);
    }, again);
  };
  input.addEventListener("change", function () {
    if (!input.files.length) {
      return;
    }
    if (!input.files[0].size) {
      giveUp();
      return;
    }
    button.disabled = true;
    send(input.files[0], 0, Math.random().toString(36).slice(2), 0);
  });
})();

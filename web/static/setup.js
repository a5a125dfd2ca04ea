/* Set-up: loads the page anew when what it waits for has changed, and goes on asking while the program behind it starts
   anew; sends a file in pieces, because a request takes no more than one. */
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
  var input = document.getElementById("f-file");
  if (!input) {
    return;
  }
  var said = document.getElementById("sent");
  var button = document.getElementById("go");
  var token = document.querySelector("input[name=token]").value;
  var send = function (file, at, tab) {
    said.textContent = Math.round((at / file.size) * 100) + " %";
    if (at >= file.size) {
      said.textContent = said.dataset.done;
      button.disabled = false;
      return;
    }
    fetch(input.dataset.send + "?at=" + at + "&tab=" + tab, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "X-Form-Token": token },
      body: file.slice(at, at + PIECE),
    })
      .then(function (answer) {
        if (!answer.ok) {
          throw new Error(String(answer.status));
        }
        return answer.json();
      })
      .then(function (here) {
        send(file, here.at, tab);
      })
      .catch(function () {
        said.textContent = said.dataset.failed;
        button.disabled = false;
      });
  };
  input.addEventListener("change", function () {
    if (input.files.length) {
      button.disabled = true;
      send(input.files[0], 0, Math.random().toString(36).slice(2));
    }
  });
})();

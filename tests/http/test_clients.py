"""The official clients, unchanged: tus-js-client in node, Uppy's tus plugin in Chromium, Debian's tuspy."""
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import urllib.request

import pytest

from resumable import some_bytes

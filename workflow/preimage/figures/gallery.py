"""Which figures a study gets, from what its steps have written; and what to say beside each."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from preimage.figures import captions, scale, style
from preimage.figures.answers_on_test import Answers, answers_on_test
from preimage.figures.convergence import convergence
from preimage.figures.domain_against_prediction import domain_against_prediction
from preimage.figures.history import history
from preimage.figures.parallel_coordinates import parallel_coordinates
from preimage.figures.predicted_against_truth import predicted_against_truth
from preimage.figures.surface import surface
from preimage.figures.training_scatter import training_scatter
from preimage.figures.waterfall import waterfall
from preimage.objective import Objective
from preimage.problem import Problem
from preimage.space import Space

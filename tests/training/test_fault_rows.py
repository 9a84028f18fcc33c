"""Every fault of training (R) that the project promises to meet, and the tests that make each happen; nets and data that fit badly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netspec.compiler import compile_source
from netspec.diagnostics import NetspecError
from netspec.source import Source
from netspec.training import train
from tests.training.nets import graph, write_data

TESTS = Path(__file__).resolve().parent.parent

RUNS = {
    "R1 killed at every state of the files": "training/test_resume.py::test_killed_at_every_state_of_the_files",
    "R1 values of frozen parts half written": "training/test_faults.py::test_killed_at_random_moments",
    "R2 killed at random moments": "training/test_faults.py::test_killed_at_random_moments",
    "R3 killed in start-up, scan, validation, in the report, in a resume": "training/test_faults.py::test_killed_at_random_moments",
    "R3 killed between two files of an epoch": "training/test_resume_settings.py::test_killed_at_the_edge_of_a_stage",
    "R5 a disk that stays full": "training/test_resume.py::test_a_full_disk_leaves_the_last_checkpoint",
    "R5 a disk that is full once": "training/test_faults.py::test_a_write_that_fails_once_is_told_and_nothing_is_lost",
    "R5 too little room as it begins": "training/test_resume.py::test_no_room_for_the_checkpoints",
    "R5 no room for kept values": "training/test_kept_values.py::test_a_disk_that_takes_nothing_is_told_and_training_goes_on",
    "R6 quota, read-only, EIO, no renaming": "training/test_faults.py::test_a_write_that_fails_once_is_told_and_nothing_is_lost",
    "R7 the folder is gone": "training/test_faults.py::test_a_folder_that_is_gone_ends_the_training",
    "R7 saved elsewhere": "training/test_faults.py::test_the_state_is_rescued_where_that_is_asked_for",
    "R7 not saved elsewhere": "training/test_faults.py::test_what_cannot_be_rescued_is_said",
    "R9 SIGTERM": "training/test_resume.py::test_every_optimizer_is_resumed",
    "R9 SIGHUP": "training/test_resume.py::test_interrupted_twice",
    "R9 SIGTERM for several processes": "training/test_processes.py::test_asked_to_stop",
    "R9 a closed pipe": "training/test_train.py::test_a_live_display_and_a_closed_pipe",
    "R10 a loss that is none": "training/test_train.py::test_numbers_that_explode",
    "R10 kept is what is finite": "training/test_train.py::test_the_last_finite_checkpoint_is_kept",
    "R10 weights that are none": "training/test_train.py::test_weights_that_the_last_step_has_spoilt_are_never_kept",
    "R10 gradients that are none": "training/test_bad_numbers.py::test_a_gradient_that_is_not_finite_is_seen_in_the_next_step",
    "R10 the first layer": "training/test_bad_numbers.py::test_the_first_layer_that_is_not_finite_is_named",
    "R11 explodes": "training/test_bad_numbers.py::test_a_loss_that_explodes_is_told_and_the_training_goes_on",
    "R11 constant": "training/test_bad_numbers.py::test_a_loss_that_stands_still_is_told_and_reported",
    "R11 which losses are odd": "training/test_bad_numbers.py::test_losses_that_are_odd",
    "R13 every step, every setting": "training/test_resume_settings.py::test_resumed_after_any_step",
    "R13 other targets": "training/test_resume_settings.py::test_what_learns_something_else_is_resumed_after_any_step",
    "R13 kept values": "training/test_going_on.py::test_stages_whose_values_are_kept",
    "R13 pictures read anew, by 0, 1 and 2 threads": "training/test_going_on.py::test_read_anew_and_gone_on_with_after_any_step",
    "R14 another machine, another seed": "training/test_faults.py::test_another_machine_is_said_and_another_seed_is_refused",
    "R14 other settings, nets, data": "training/test_resume.py::test_what_cannot_be_resumed",
    "R14 other stages": "training/test_resume_settings.py::test_stages_that_changed_are_not_resumed",
    "R14 a state of another version": "training/test_resume_settings.py::test_a_state_of_another_version_is_refused",
    "R15 nothing is changed": "training/test_resume.py::test_a_finished_run_stays_as_it_is",
    "R15 says so, exit 0": "training/test_faults.py::test_a_finished_run_says_so_on_the_command_line",
    "R17 locked": "training/test_resume.py::test_folders_in_use",
    "R17 the lock dies with its process": "training/test_faults.py::test_a_lock_dies_with_its_process",
    "R17 who comes second": "training/test_run_folders.py::test_who_comes_second_takes_nothing_away",
    "R18 read meanwhile": "training/test_faults.py::test_who_reads_meanwhile_sees_whole_files",
    "R19 exceptions and hangs of reading": "training/test_faults.py::test_an_image_that_cannot_be_read_any_more",
    "R19 a process of several is killed": "training/test_processes.py::test_a_killed_process_ends_the_run_with_its_state",
    "R21 clocks": "training/test_faults.py::test_clocks_that_jump",
    "R22 never below one": "training/test_resume.py::test_killed_at_every_state_of_the_files",
    "R22 last and best are replaced whole": "training/test_faults.py::test_who_reads_meanwhile_sees_whole_files",
    "R23 other content, files, links": "training/test_resume.py::test_folders_in_use",
    "R23 links and pipes inside": "training/test_run_folders.py::test_links_and_pipes_in_place_of_files",
    "R25 half a line": "training/test_faults.py::test_a_history_with_half_a_line_or_too_many",
    "R25 events": "training/test_faults.py::test_killed_at_random_moments",
    "R26 stopped and continued": "training/test_faults.py::test_stopped_and_continued",
    "R27 told in the first second": "training/test_faults.py::test_a_folder_that_cannot_be_written_to_is_told_before_the_data_is_read",
    "R29 the device fails": "training/test_bad_numbers.py::test_a_device_that_fails_leaves_the_last_checkpoint",
    "R30 umask": "training/test_faults.py::test_files_are_for_whom_the_umask_says",
}
"""What may happen, in the words of the list, and which test makes it happen."""


@pytest.mark.parametrize(("fault", "test"), RUNS.items(), ids=RUNS.keys())
def test_every_fault_has_a_test(fault: str, test: str) -> None:
    file, _, name = test.partition("::")
    assert re.search(rf"^def {name}\(", (TESTS / file).read_text("utf-8"), re.MULTILINE), f"{fault}: there is no {test}"


def test_no_row_is_missing() -> None:
    rows = "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27 29 30"
    assert {fault.split()[0] for fault in RUNS} == {f"R{n}" for n in rows.split()}


@pytest.mark.parametrize(("images", "batch"), [(9, "8"), (17, "8"), (41, "8"), (3, "2")])
def test_a_last_batch_of_one_is_avoided(tmp_path: Path, images: int, batch: str) -> None:
    """A batch norm behind a vector cannot work on one sample alone."""
    net = graph(tmp_path, "flatten -> linear(8) -> bn -> relu -> linear(classes)", batch=batch)
    assert train(net, write_data(tmp_path, train=images), out=tmp_path / "run").record.status == "finished"


@pytest.mark.parametrize("channels", [2, 4])
def test_images_have_one_channel_or_three(tmp_path: Path, channels: int) -> None:
    (net,) = compile_source(Source("a.net", f"net A {{ image: input({channels}x8x8)\nflatten -> linear(3) }}\ntrain {{ epochs = 1 }}"))
    with pytest.raises(NetspecError) as caught:
        train(net, write_data(tmp_path), out=tmp_path / "run")
    (found,) = caught.value.diagnostics
    assert found.code in {"N717", "N714"}
    assert str(channels) in found.message
    assert not (tmp_path / "run").exists()

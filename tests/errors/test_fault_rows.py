"""Every fault of a spec's text (T) and of a graph's meaning (G) that the project promises to meet, and the tests that make each happen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netspec.compiler import compile_source
from netspec.source import Source
from tests.errors.text import codes, marked, net, only

TESTS = Path(__file__).resolve().parent.parent

TEXT = {
    "T1 nested 10^5 deep": "errors/test_text_faults.py::test_nesting_is_refused_at_the_65th_opener",
    "T2 repeated a billion times": "errors/test_text_faults.py::test_repetition_is_computed_and_not_written_out",
    "T3 repeats in repeats in repeats": "errors/test_text_faults.py::test_repetition_is_computed_and_not_written_out",
    "T5 doubling by blocks": "errors/test_text_faults.py::test_doubling_blocks",
    "T5 doubling by parts of nets": "resolve/test_parts.py::test_doubling_parts",
    "T6 channels that are no whole number": "errors/test_text_faults.py::test_channels_are_a_whole_number",
    "T7 5,000 digits": "errors/test_text_faults.py::test_digits_without_end",
    "T9 channels 0, kernel 0": "errors/test_text_faults.py::test_arguments_out_of_bounds",
    "T10 stride, dilation, groups, padding out of bounds": "errors/test_text_faults.py::test_arguments_out_of_bounds",
    "T11 groups that do not divide": "errors/test_fault_rows.py::test_groups_that_do_not_divide_are_shown_with_the_channels",
    "T13 division by zero, huge powers": "errors/test_text_faults.py::test_arithmetic_that_has_no_value",
    "T14 letters of other scripts": "errors/test_text_faults.py::test_characters_that_are_not_allowed",
    "T15 full-width letters": "errors/test_text_faults.py::test_characters_that_are_not_allowed",
    "T17 NUL": "errors/test_text_faults.py::test_characters_that_are_not_allowed",
    "T17 NUL in a path": "errors/test_fault_rows.py::test_a_path_with_a_nul_byte_is_never_cut_short",
    "T18 byte order mark": "errors/test_text_faults.py::test_a_byte_order_mark_moves_no_column",
    "T19 UTF-16, Latin-1": "errors/test_text_faults.py::test_other_encodings",
    "T21 ends of lines": "errors/test_text_faults.py::test_lines_end_with_or_without_carriage_return",
    "T22 tabs": "errors/test_text_faults.py::test_wide_characters_and_tabs_keep_the_carets_in_place",
    "T23 nothing in it": "errors/test_text_faults.py::test_nothing_in_it",
    "T25 one line of 10 MB": "errors/test_text_faults.py::test_one_line_of_ten_million",
    "T25 unclosed strings": "errors/test_text_faults.py::test_an_unclosed_string_is_marked_where_it_opens",
    "T25 excerpts are cut": "errors/test_text_faults.py::test_an_excerpt_is_cut_to_120_characters",
    "T26 linear time": "syntax/test_grammar.py::test_every_terminal_takes_linear_time",
    "T27 circles of files": "resolve/test_files.py::test_a_circle_is_told_in_order",
    "T27 a file that uses itself": "resolve/test_files.py::test_a_file_that_uses_itself",
    "T27 long chains of files": "resolve/test_files.py::test_a_chain_of_files_has_an_end",
    "T27 many files": "resolve/test_files.py::test_a_spec_uses_so_many_files",
    "T29 symbolic links": "resolve/test_files.py::test_symbolic_links_are_not_followed",
    "T29 hard links": "resolve/test_files.py::test_one_file_under_several_names_is_read_once",
    "T29 a folder exchanged meanwhile": "resolve/test_files.py::test_a_folder_exchanged_for_a_link_meanwhile_is_not_followed",
    "T29 a file exchanged meanwhile": "resolve/test_files.py::test_a_file_exchanged_meanwhile_is_still_one_file",
    "T30 missing, a folder, a FIFO": "resolve/test_files.py::test_a_file_that_cannot_be_used",
    "T30 not permitted": "resolve/test_files.py::test_a_file_that_may_not_be_read_is_a_matter_of_permissions",
    "T31 the same file twice": "resolve/test_files.py::test_a_file_is_read_once_however_often_it_is_used",
    "T31 paths that differ by case": "resolve/test_files.py::test_names_that_letter_case_tells_apart_are_two_files",
    "T33 names of Python and PyTorch": "errors/test_text_faults.py::test_names_that_mean_something_elsewhere",
    "T33 the same in modules": "backends/test_torch_build.py::test_no_label_can_hurt",
    "T34 names that are none": "errors/test_text_faults.py::test_labels_that_are_no_names",
    "T34 long names": "errors/test_text_faults.py::test_names_have_at_most_64_characters",
    "T35 names equal but for case": "errors/test_text_faults.py::test_names_that_letter_case_alone_tells_apart_are_a_warning",
    "T37 code in names": "errors/test_text_faults.py::test_code_in_a_name_or_a_string_is_text",
    "T37 nothing of Python is reached": "errors/test_text_faults.py::test_nothing_of_python_can_be_reached",
    "T38 templates": "errors/test_text_faults.py::test_what_users_write_is_never_a_template",
    "T38 control characters": "errors/test_text_faults.py::test_control_characters_are_shown_escaped",
    "T38 names of files": "resolve/test_files.py::test_names_of_files_are_shown_escaped",
    "T38 names in reports": "report/test_page.py::test_names_cannot_break_out",
    "T38 names in comparisons": "report/test_comparing.py::test_hostile_names_are_escaped",
    "T39 DOT": "backends/test_dot_files.py::test_hostile_texts_stay_texts",
    "T41 pictures without end": "backends/test_dot_files.py::test_on_timeout_the_dot_text_is_kept_and_nothing_lost",
    "T42 defined twice": "errors/test_text_faults.py::test_defined_twice",
    "T43 misspelled": "errors/test_text_faults.py::test_misspelled",
    "T45 strange paths of specs": "cli/test_front_end.py::test_standard_input_and_strange_paths",
    "T46 a spec of a later version": "errors/test_fault_rows.py::test_words_of_a_later_version_are_unknown_words",
    "T47 random text": "errors/test_mutations.py::test_random_text",
    "T47 every deletion": "errors/test_mutations.py::test_every_deletion",
}
GRAPH = {
    "G1 undefined": "errors/test_graph_faults.py::test_mistake",
    "G2 defined twice": "errors/test_text_faults.py::test_defined_twice",
    "G3 circles of blocks": "errors/test_graph_faults.py::test_a_circle_of_blocks_is_told_in_order",
    "G3 circles of nets": "resolve/test_using.py::test_nets_that_use_one_another_are_one_mistake",
    "G5 dead branches": "errors/test_graph_faults.py::test_mistake",
    "G5 nets of which nothing is used": "resolve/test_using.py::test_a_net_of_which_nothing_is_used_is_a_mistake",
    "G5 heads that are left out": "resolve/test_using.py::test_heads_that_nobody_takes_are_left_out",
    "G6 no input, no output": "errors/test_graph_faults.py::test_nets_that_cannot_be",
    "G6 two outputs of one name": "errors/test_text_faults.py::test_defined_twice",
    "G7 unused inputs": "errors/test_graph_faults.py::test_mistake",
    "G9 concat": "errors/test_graph_faults.py::test_merges_show_every_branch",
    "G10 merges of one, or of the same twice": "errors/test_graph_faults.py::test_a_merge_may_have_a_tensor_twice",
    "G11 sizes below 1": "errors/test_graph_faults.py::test_the_history_of_a_size_is_told",
    "G13 windows, padding, dilation": "layers/test_layers_property.py::test_layer_agrees_with_pytorch_and_onnxruntime",
    "G14 average pooling": "layers/test_layers_property.py::test_layer_agrees_with_pytorch_and_onnxruntime",
    "G15 open sizes": "layers/test_open_sizes.py::test_formulas_are_what_the_rule_says_of_numbers",
    "G17 groups": "errors/test_fault_rows.py::test_groups_that_do_not_divide_are_shown_with_the_channels",
    "G18 shared weights that differ": "resolve/test_shared.py::test_uses_that_differ",
    "G19 counted once": "resolve/test_shared.py::test_the_weights_stand_once_at_the_name",
    "G19 stored once": "resolve/test_shared.py::test_the_file_holds_them_once",
    "G19 gradients": "resolve/test_shared.py::test_the_gradient_is_the_sum_over_the_uses",
    "G21 tensors beyond 32 bits": "errors/test_graph_faults.py::test_tensors_beyond_32_bits_are_a_warning",
    "G21 models beyond one file": "backends/test_onnx_export.py::test_model_beyond_one_file_is_refused_before_it_is_made",
    "G22 everything frozen": "training/test_train.py::test_specs_that_cannot_be_trained",
    "G22 everything frozen in a stage": "resolve/test_freezing.py::test_what_check_says",
    "G23 freezing what is not there": "resolve/test_freezing.py::test_what_names_nothing",
    "G25 one value in a channel": "training/test_train.py::test_specs_that_cannot_be_trained",
    "G25 a last batch of one": "training/test_fault_rows.py::test_a_last_batch_of_one_is_avoided",
    "G26 a sample and its neighbours": "backends/test_torch_build.py::test_a_sample_does_not_depend_on_its_neighbours",
    "G26 predictions and their neighbours": "inference/test_predict.py::test_an_answer_does_not_depend_on_its_neighbours",
    "G27 classes": "training/test_train.py::test_data_that_does_not_fit_leaves_no_folder",
    "G29 channels of images": "training/test_fault_rows.py::test_images_have_one_channel_or_three",
    "G30 chains of 20,000": "errors/test_graph_faults.py::test_large_nets_take_a_moment",
    "G30 the same in training": "backends/test_torch_build.py::test_chain_of_20_000_layers",
    "G31 merges of 10,000": "errors/test_graph_faults.py::test_large_nets_take_a_moment",
    "G33 sizes that conflict": "errors/test_fault_rows.py::test_sizes_of_inputs_that_cannot_be",
    "G34 accepted when PyTorch accepts": "random_graphs/test_random_graphs.py::test_spoiled_files_are_accepted_when_pytorch_accepts_them",
}


@pytest.mark.parametrize("row", [*TEXT, *GRAPH])
def test_there_is_a_test(row: str) -> None:
    file, _, name = (TEXT | GRAPH)[row].partition("::")
    assert re.search(rf"^def {name}\(", (TESTS / file).read_text("utf-8"), re.MULTILINE), f"{file} has no {name}"


def test_no_row_is_missing() -> None:
    text = "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27 29 30 31 33 34 35 37 38 39 41 42 43 45 46 47"
    graph = "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27 29 30 31 33 34"
    assert {row.split()[0] for row in TEXT} == {f"T{n}" for n in text.split()}
    assert {row.split()[0] for row in GRAPH} == {f"G{n}" for n in graph.split()}


@pytest.mark.parametrize(
    ("body", "both"), [("conv(9, 3, groups=2)", "9"), ("conv(8, 3, groups=2)", "3"), ("conv(6, 1) -> conv(9, 1, groups=6)", "9")]
)
def test_groups_that_do_not_divide_are_shown_with_the_channels(body: str, both: str) -> None:
    said = only(net(body))
    shown = f"{said.message} {said.problem.label()} {' '.join(said.problem.notes())}"
    assert said.code == "N205"
    assert both in shown
    assert marked(said) == body.rpartition("=")[2].rstrip(")")


def test_a_path_with_a_nul_byte_is_never_cut_short() -> None:
    assert codes(net("relu", before='use a from "a.net\0.txt"')) == ["N102"]


@pytest.mark.parametrize("first", ["netspec 9", "version = 9", "language 2.0 { }", "requires { netspec = 9 }"])
def test_words_of_a_later_version_are_unknown_words(first: str) -> None:
    assert codes(f"{first}\n{net('relu')}")[0] in {"N101", "N601"}


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ("a: input(3x-1x8)", "N101"),
        ("a: input([3, -1, 8])", "N401"),
        ("a: input([3, 0, 8])", "N401"),
        ("a: input(-1x3x8x8)", "N501"),
        ("a: input(3xHxW)\nflatten -> linear(2)", "N230"),
    ],
)
def test_sizes_of_inputs_that_cannot_be(inputs: str, code: str) -> None:
    assert codes(f"net A {{ {inputs}\nrelu }}") == [code]


def test_sizes_that_agree_are_one() -> None:
    (graph,) = compile_source(Source("a.net", "net A { a: input(3xHxW)\nb: input(5xHxW)\na -> relu -> concat(b) }"))
    assert graph.sizes is not None
    assert graph.sizes.symbols == ("H", "W")
